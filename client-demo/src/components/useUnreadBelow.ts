import { type RefObject, useCallback, useEffect, useState } from "react";

interface Below {
  hasUnread: boolean;
  /** Brings the first of them into sight. */
  show: () => void;
  onScroll: () => void;
}

/** Whether a scrolled list has unread rows further down than one can see. */
export function useUnreadBelow(list: RefObject<HTMLElement | null>, rows: unknown): Below {
  const [hasUnread, setHasUnread] = useState(false);

  const first = useCallback(() => {
    const bottom = list.current?.getBoundingClientRect().bottom ?? 0;
    const unread = list.current?.querySelectorAll('[data-unread="true"]') ?? [];
    return [...unread].find((row) => row.getBoundingClientRect().top > bottom - 12);
  }, [list]);
  const look = useCallback(() => setHasUnread(first() !== undefined), [first]);

  useEffect(() => {
    const frame = requestAnimationFrame(look);
    window.addEventListener("resize", look);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("resize", look);
    };
  }, [look, rows]);

  return { hasUnread, show: () => first()?.scrollIntoView({ block: "center", behavior: "smooth" }), onScroll: look };
}
