/** Where there is a pointer that hovers there is a keyboard, and focusing a field brings up none on the screen. */
export function hasKeyboard(): boolean {
  return window.matchMedia("(hover: hover)").matches;
}

/** The message's row around one of its elements. */
export function rowOf(element: Element | null): HTMLElement | null {
  return element?.closest<HTMLElement>(".message") ?? null;
}

/** When a message is deleted or its buttons go: the next one, else the message box, else the row itself. */
export function focusAfter(row: HTMLElement): void {
  // Somebody has turned to something else meanwhile.
  if (document.activeElement !== document.body && !row.contains(document.activeElement)) return;
  for (let next = row.nextElementSibling; next !== null; next = next.nextElementSibling) {
    if (next instanceof HTMLElement && next.matches(".message")) return next.focus();
  }
  if (hasKeyboard()) focusComposer();
  else row.focus();
}

export function focusComposer(): void {
  document.getElementById("composer")?.focus({ preventScroll: true });
}
