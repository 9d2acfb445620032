import type { Context as SocketContext } from 'graphql-ws';
import type { Begun } from './socket-inbox.ts';

/** What is known of one WebSocket. */
export type Extra = {
  readonly host: string;
  readonly address: string;
  /** The credential of the upgrade, or else of `connection_init`; every operation is authenticated with it anew. */
  authorization: string | undefined;
  /** Row id of its user; null until it was authenticated, and where nobody is asked. */
  userId: string | null;
  /** Ends the connection with a code and a reason. */
  readonly end: (code: number, reason: string) => void;
  /** To be called when it has closed. */
  leave: () => void;
  isClosed: boolean;
  /**
   * Each until it has truly ended, also where the client has completed it. By the payload that began it: the
   * client's id for it may come again.
   */
  readonly operations: Map<object, Operation>;
  /** The message that is handed to the protocol right now. */
  begun: Begun | null;
};
export type Connection = SocketContext<Record<string, unknown>, Extra>;
export type Operation = {
  readonly id: string;
  readonly connection: Connection;
  readonly controller: AbortController;
  readonly begun: Begun | null;
};
