import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

/** For a text area that is as high as its text; its CSS says where that ends. */
export function useGrowing(text: string): RefObject<HTMLTextAreaElement | null> {
  const field = useRef<HTMLTextAreaElement>(null);

  useLayoutEffect(() => {
    if (field.current !== null) fit(field.current);
  }, [text]);

  // The same text has other lines in another width: a phone is turned, a list stands beside it.
  useEffect(() => {
    const element = field.current;
    if (element === null) return;
    let width = element.clientWidth;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      fit(element);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  return field;
}

function fit(element: HTMLTextAreaElement): void {
  element.style.height = "auto";
  // What is not displayed has no height that could be measured.
  if (element.scrollHeight > 0) element.style.height = `${element.scrollHeight}px`;
}
