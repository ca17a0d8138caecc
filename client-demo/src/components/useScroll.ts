import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

import type { Entry } from "../view/entries";

/** How near the end counts as at the end, and how near the top fetches more, in pixels. */
const AT_END = 60;
const AT_TOP = 240;

interface Scroll {
  list: RefObject<HTMLElement | null>;
  isAtEnd: boolean;
  toEnd: () => void;
  onScroll: () => void;
}

/**
 * Keeps a conversation's end in sight while it is in sight, and what one reads where it is when earlier messages
 * are put above it.
 */
export function useScroll(entries: readonly Entry[], onTop: () => void): Scroll {
  const list = useRef<HTMLElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  // The same as the state, but true at once: what was measured before the next change.
  const wasAtEnd = useRef(true);
  const before = useRef({ first: "", last: "", height: 0 });

  const toEnd = useCallback(() => {
    const element = list.current;
    if (element === null) return;
    element.scrollTop = element.scrollHeight;
    wasAtEnd.current = true;
    setAtEnd(true);
  }, []);

  const onScroll = () => {
    const element = list.current;
    if (element === null) return;
    wasAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END;
    setAtEnd(wasAtEnd.current);
    if (element.scrollTop < AT_TOP) onTop();
  };

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const first = entries[0]?.key ?? "";
    const last = entries.at(-1);
    const isPrepended = before.current.first !== "" && before.current.first !== first;
    const isSent = last !== undefined && last.said.id === undefined && last.key !== before.current.last;
    if (wasAtEnd.current || isSent) toEnd();
    else if (isPrepended) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { first, last: last?.key ?? "", height: element.scrollHeight };
  }, [entries, toEnd]);

  const isEmpty = entries.length === 0;
  // The composer grows, a phone's keyboard appears, a message is being edited: the end stays in sight.
  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      if (wasAtEnd.current) element.scrollTop = element.scrollHeight;
      before.current.height = element.scrollHeight;
    });
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    return () => observer.disconnect();
  }, [isEmpty]);

  return { list, isAtEnd, toEnd, onScroll };
}
