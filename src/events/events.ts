/**
 * What travels between processes that change something, that draw, and that have viewers. A state change is
 * read from its row, so a message about it that is lost costs time, never a state; what is only ever told by
 * a message (progress, frames) is replaced by the next one.
 */
export type Message =
  | LoggedMessage
  | FrameMessage
  | ProgressMessage
  | ImageStoredMessage
  | RunEndedMessage
  | RunnerStartedMessage
  | QueuedMessage
  | CanceledMessage
  | PreviewsWantedMessage;

/** Event number `cursor` of the owner's log is committed. */
export type LoggedMessage = {
  readonly type: 'logged';
  readonly ownerId: string;
  readonly cursor: number;
  /** Null where the event is not about one project, or one generation. */
  readonly projectId: string | null;
  readonly generationId: string | null;
};

/** A preview of image `index` after `step` steps, where a viewer asked for one. */
export type FrameMessage = {
  readonly type: 'frame';
  readonly ownerId: string;
  readonly projectId: string;
  readonly generationId: string;
  readonly index: number;
  readonly step: number;
  readonly frame: PreviewFrame;
  /** Longest side of the finished image, in pixels. */
  readonly imageSide: number;
  /** Milliseconds since 1970. */
  readonly at: number;
};

/** A runner entered a stage of an image, or finished a step of it. Not logged; the newest counts. */
export type ProgressMessage = {
  readonly type: 'progress';
  readonly ownerId: string;
  readonly projectId: string;
  readonly generationId: string;
  /** What the time of a step depends on. */
  readonly model: string;
  readonly width: number;
  readonly height: number;
  readonly stage: string;
  /** Whether it was a step that ended, not a stage that began. */
  readonly isStep: boolean;
  /** Steps finished, and to do, in all images of the generation. The former never falls. */
  readonly finishedSteps: number;
  readonly totalSteps: number;
  /** Steps to do in this run, which may begin anew with an image that an earlier one had begun. */
  readonly stepsLeft: number;
  /** Milliseconds since 1970. */
  readonly at: number;
};

/** An image is stored: its last frame is no preview any more. */
export type ImageStoredMessage = {
  readonly type: 'image-stored';
  readonly generationId: string;
  readonly index: number;
  /** Milliseconds since 1970. */
  readonly at: number;
};

/** A runner works on a generation no more, for whatever reason. */
export type RunEndedMessage = { readonly type: 'run-ended'; readonly generationId: string };

/** A runner listens from now on, and knows nothing of what was wanted before. */
export type RunnerStartedMessage = { readonly type: 'runner-started' };

/** A row waits to be claimed. */
export type QueuedMessage = { readonly type: 'queued' };

/** A generation was cancelled: its runner stops. */
export type CanceledMessage = { readonly type: 'canceled'; readonly generationId: string };

/**
 * The viewers of one process want frames of what a scope covers, for as long as the lease: it is renewed before
 * it ends. `everyMs` null takes it back.
 */
export type PreviewsWantedMessage = {
  readonly type: 'previews-wanted';
  /** Which process: a later message of the same one about the same scope replaces this one. */
  readonly subscriberId: string;
  readonly scope: Scope;
  readonly everyMs: number | null;
  readonly leaseMs: number;
};

/** Whose events or frames: one generation's, one project's, or all of an owner's. */
export type Scope = { readonly type: 'generation' | 'project' | 'owner'; readonly id: string };

/** RGB, 8 bits each, row-major: `width * height * 3` bytes. */
export type PreviewFrame = {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
};

/**
 * `owner:<id>`: the log and the frames of one user, for their viewers. `progress`: of all runners, for every
 * process that answers queries. `runners`: what the runners are asked to do.
 */
export type Channel = `owner:${string}` | 'progress' | 'runners';

/** Where events travel: inside the process, or through Redis. Delivery is at most once, in order per publisher. */
export interface Events {
  publish(channel: Channel, message: Message): void;
  /** Resolves when listening: a message published after that reaches `listener`. A throw in one listener reaches no other. */
  subscribe(channel: Channel, listener: (message: Message) => void): Promise<() => void>;
  close(): Promise<void>;
}
