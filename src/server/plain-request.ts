import { IncomingMessage } from 'node:http';

/**
 * A request as Node makes it, but one that offers another protocol than WebSocket (`Upgrade: h2c`, Java's default)
 * is answered as if it had not (RFC 9110, 7.8): Node would hand all of them to the listener of `upgrade`.
 */
export class PlainRequest extends IncomingMessage {
  /** Set and read by Node's HTTP server: whether the connection leaves HTTP after this request. */
  get upgrade(): boolean {
    return this.offersUpgrade && /^websocket$/i.test(this.headers.upgrade ?? '');
  }

  set upgrade(offers: boolean | null) {
    this.offersUpgrade = offers === true;
  }

  // Declared without a value: Node's own constructor sets `upgrade` before a field here could be initialised.
  declare private offersUpgrade: boolean;
}
