import { type RefObject, useEffect } from "react";

/**
 * Closes what is open when a pointer goes down, or the focus moves, outside of it. Focus that goes nowhere closes
 * nothing: a button that was tapped may have vanished, or never had the focus, as in Safari.
 */
export function useDismiss(place: RefObject<HTMLElement | null>, isOpen: boolean, close: () => void): void {
  useEffect(() => {
    if (!isOpen) return;
    const look = (event: Event) => {
      if (event.target instanceof Node && place.current?.contains(event.target) === false) close();
    };
    document.addEventListener("pointerdown", look);
    document.addEventListener("focusin", look);
    return () => {
      document.removeEventListener("pointerdown", look);
      document.removeEventListener("focusin", look);
    };
  }, [place, isOpen, close]);
}
