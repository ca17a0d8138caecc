import { useSyncExternalStore } from "react";

import type { Action } from "./actions";
import { reduce } from "./reducer";
import { SIGNED_OUT, type State } from "./state";

let state: State = SIGNED_OUT;
const watchers = new Set<() => void>();

export function getState(): State {
  return state;
}

export function dispatch(action: Action): void {
  const next = reduce(state, action);
  if (next === state) return;
  state = next;
  for (const watcher of watchers) watcher();
}

export function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** What `select` takes out of the state. It must return something that is already in it, not build something new. */
export function useStore<T>(select: (state: State) => T): T {
  return useSyncExternalStore(subscribe, () => select(state));
}
