import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

import type { Entry } from "../view/entries";

/** How near the end counts as at the end, and how near the top fetches more, in pixels. */
const AT_END = 60;
const AT_TOP = 240;

interface Scroll {
  list: RefObject<HTMLElement | null>;
  isAtEnd: boolean;
  /** The same, but true at once: as it was measured after the last change. */
  wasAtEnd: RefObject<boolean>;
  toEnd: () => void;
  onScroll: () => void;
}

/**
 * Keeps a conversation's end in sight while it is in sight, but never scrolls past the line above what is new:
 * reading begins there. What one reads stays where it is when earlier messages are put above it.
 */
export function useScroll(entries: readonly Entry[], isLooking: boolean, onTop: () => void): Scroll {
  const list = useRef<HTMLElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const wasAtEnd = useRef(true);
  const before = useRef({ first: "", last: "", line: "", height: 0 });

  const measure = useCallback(() => {
    const element = list.current;
    if (element === null) return;
    wasAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END;
    setAtEnd(wasAtEnd.current);
  }, []);

  const toEnd = useCallback(() => {
    if (list.current !== null) list.current.scrollTop = list.current.scrollHeight;
    measure();
  }, [measure]);

  const onScroll = () => {
    measure();
    if (list.current !== null && list.current.scrollTop < AT_TOP) onTop();
  };

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const first = entries[0]?.key ?? "";
    const last = entries.at(-1);
    const line = entries.find((entry) => entry.startsNew)?.key ?? "";
    const isPrepended = before.current.first !== "" && before.current.first !== first;
    const isSent = last !== undefined && last.said.id === undefined && last.key !== before.current.last;
    const isUnread = line !== "" && (line !== before.current.line || !isLooking);
    if (isSent) toEnd();
    else if (wasAtEnd.current && isUnread) {
      toLine(element);
      measure();
    } else if (wasAtEnd.current) toEnd();
    else if (isPrepended) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { first, last: last?.key ?? "", line, height: element.scrollHeight };
  }, [entries, isLooking, toEnd, measure]);

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

  return { list, isAtEnd, wasAtEnd, toEnd, onScroll };
}

/** As far down as the line stays in sight. */
function toLine(list: HTMLElement): void {
  const line = list.querySelector(".separator-new");
  if (line !== null) list.scrollTop += line.getBoundingClientRect().top - list.getBoundingClientRect().top;
}
