import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Events, Message } from '../../src/events/events.ts';

const canceled = (generationId: string): Message => ({ type: 'canceled', generationId });

type Open = (onDefect: (error: unknown) => void) => Promise<readonly [Events, Events]>;

/** What every kind of events does. `open` gives two ends that reach each other, or the same one twice. */
export function eventsContract(open: Open): void {
  let here: Events;
  let there: Events;
  let defects: unknown[];
  beforeEach(async () => {
    defects = [];
    [here, there] = await open((error) => defects.push(error));
  });
  afterEach(async () => {
    await here.close();
    await there.close();
  });

  /** Collects until `count` messages are there. */
  const listen = async (events: Events, channel: 'runners' | `owner:${string}`, count: number) => {
    const heard: Message[] = [];
    let done = () => {};
    const all = new Promise<Message[]>((resolve) => {
      done = () => resolve(heard);
    });
    const leave = await events.subscribe(channel, (message) => {
      heard.push(message);
      if (heard.length === count) done();
    });
    return { all, heard, leave };
  };

  test('delivers every message to every listener, in the order of its publisher', async () => {
    const both = [await listen(here, 'runners', 50), await listen(there, 'runners', 50)];
    const sent = Array.from({ length: 50 }, (_, i) => canceled(`${i}`));
    for (const message of sent) here.publish('runners', message);
    for (const { all } of both) expect(await all).toEqual(sent);
  });

  test('keeps channels apart', async () => {
    const one = await listen(there, 'owner:1', 1);
    const two = await listen(there, 'owner:2', 1);
    here.publish('owner:1', canceled('one'));
    here.publish('owner:2', canceled('two'));
    expect(await one.all).toEqual([canceled('one')]);
    expect(await two.all).toEqual([canceled('two')]);
  });

  test('delivers a frame unchanged', async () => {
    const listening = await listen(there, 'owner:1', 1);
    const rgb = Uint8Array.from([0, 127, 128, 255, 1, 2]);
    const message: Message = {
      type: 'frame',
      ownerId: '1',
      projectId: '2',
      generationId: '3',
      index: 0,
      step: 1,
      imageSide: 64,
      at: 1,
      frame: { width: 2, height: 1, rgb },
    };
    here.publish('owner:1', message);
    expect(await listening.all).toEqual([message]);
  });

  test('a listener gets nothing before it joins and after it leaves; leaving twice is no error', async () => {
    const left = await listen(there, 'runners', 1);
    const stays = await listen(there, 'runners', 2);
    left.leave();
    left.leave();
    here.publish('runners', canceled('1'));
    here.publish('runners', canceled('2'));
    await stays.all;
    const late = await listen(there, 'runners', 1);
    here.publish('runners', canceled('3'));
    expect(await late.all).toEqual([canceled('3')]);
    expect(left.heard).toEqual([]);
  });

  test('a listener that leaves while it is called does not affect the others', async () => {
    const leave = await there.subscribe('runners', () => leave());
    const stays = await listen(there, 'runners', 2);
    here.publish('runners', canceled('1'));
    here.publish('runners', canceled('2'));
    expect(await stays.all).toHaveLength(2);
  });

  test('an error in one listener affects neither the others nor the publisher', async () => {
    const defect = new Error('a defect of this listener');
    await there.subscribe('runners', () => {
      throw defect;
    });
    const stays = await listen(there, 'runners', 1);
    here.publish('runners', canceled('1'));
    expect(await stays.all).toHaveLength(1);
    expect(defects).toEqual([defect]);
  });

  test('nothing is delivered after close', async () => {
    const listening = await listen(there, 'runners', 1);
    await there.close();
    here.publish('runners', canceled('1'));
    expect(listening.heard).toEqual([]);
  });
}
