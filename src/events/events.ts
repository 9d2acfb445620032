/**
 * What travels between the process that makes something happen and those that watch. Wake-ups only:
 * a state change is read from its row, so a message that is lost costs time, never a state.
 */
export type Message =
  /** Event number `cursor` of the owner's log is committed. */
  | {
      readonly type: 'logged';
      readonly ownerId: string;
      readonly cursor: number;
      readonly projectId: string;
      readonly generationId: string;
    }
  /** A step of an image ended. Not logged; the newest wins. */
  | {
      readonly type: 'progress';
      readonly ownerId: string;
      readonly projectId: string;
      readonly generationId: string;
      readonly index: number;
      readonly stage: string;
      /** Steps of this image that are finished. */
      readonly step: number;
      /** Steps finished, and to do, in all images of the generation. */
      readonly finishedSteps: number;
      readonly totalSteps: number;
      /** Longest side of the finished image, in pixels. */
      readonly imageSide: number;
      /** Milliseconds since 1970; of the end too, where it can be told. */
      readonly at: number;
      readonly estimatedFinishAt: number | null;
      /** The denoised estimate as small RGB picture, where a viewer asked for frames. */
      readonly frame?: Frame;
    }
  /** A row waits to be claimed. */
  | { readonly type: 'queued' }
  /** A generation was cancelled; whoever runs it lets go. */
  | { readonly type: 'canceled'; readonly generationId: string };

/** RGB, 8 bits each, row-major: `width * height * 3` bytes. */
export type Frame = {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
};

/** `owner:<id>` for one user's log and progress, `queue` for the engines. */
export type Channel = `owner:${string}` | 'queue';

/** Where events travel: inside the process, or through Redis. Delivery is at most once, in order per publisher. */
export interface Events {
  publish(channel: Channel, message: Message): void;
  /** Resolves when listening: a message published after that reaches `listener`. A throw in one listener reaches no other. */
  subscribe(channel: Channel, listener: (message: Message) => void): Promise<() => void>;
  close(): Promise<void>;
}
