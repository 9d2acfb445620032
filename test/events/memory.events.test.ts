import { describe } from 'vitest';
import { createMemoryEvents } from '../../src/events/memory.events.ts';
import { eventsContract } from './contract.ts';

describe('events in memory', () => {
  eventsContract(async (onDefect) => {
    const events = createMemoryEvents(onDefect);
    return [events, events];
  });
});
