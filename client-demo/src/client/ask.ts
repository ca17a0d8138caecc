import type { Socket } from "socket.io-client";

import { socket } from "../socket";
import type { ClientToServerEvents, ErrorCode, Reply } from "../wire";

/** How long an answer may take, in milliseconds. */
const ANSWER_WITHIN = 10_000;
/** How often something that the server was too busy for is asked again. */
const ATTEMPTS = 5;

type Event = keyof ClientToServerEvents;
type Payload<E extends Event> = Parameters<ClientToServerEvents[E]>[0];
type Data<E extends Event> = NonNullable<Parameters<ClientToServerEvents[E]>[1]> extends (reply: Reply<infer T>) => void
  ? T
  : never;

/** Why there is no data: the server said no, or nothing was heard in time or before the connection broke. */
export class Failure extends Error {
  readonly code: ErrorCode | "no-answer";

  constructor(code: ErrorCode | "no-answer", message: string) {
    super(message);
    this.code = code;
  }

  /** The same may well succeed in a moment. */
  get isTransient(): boolean {
    return this.code === "no-answer" || this.code === "rate-limited" || this.code === "unavailable";
  }
}

/** Emits an event and waits for its reply. Throws a `Failure` and nothing else. */
export async function ask<E extends Event>(event: E, payload: Payload<E>): Promise<Data<E>> {
  // The library's types cannot follow an event that is a type parameter; ours above do.
  const plain: Socket = socket as unknown as Socket;
  let reply: Reply<Data<E>>;
  try {
    reply = await plain.timeout(ANSWER_WITHIN).emitWithAck(event, payload);
  } catch {
    throw new Failure("no-answer", "The server has not answered.");
  }
  if (reply.success) return reply.data;
  throw new Failure(reply.error.code, reply.error.message);
}

/** Like `ask`, but a server that is too busy is asked again, for as long as the connection lasts. */
export async function insist<E extends Event>(event: E, payload: Payload<E>): Promise<Data<E>> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(event, payload);
    } catch (error) {
      const failure = asFailure(error);
      if (!failure.isTransient || !socket.connected || attempt === ATTEMPTS) throw failure;
      await pause(attempt * 500);
    }
  }
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
