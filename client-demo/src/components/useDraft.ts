import { useState } from "react";

/** What was begun in each room and not sent, as long as the page is open. */
const drafts = new Map<string, string>();

export function useDraft(room: string): [string, (text: string) => void] {
  const [text, setText] = useState(() => drafts.get(room) ?? "");
  const write = (value: string) => {
    drafts.set(room, value);
    setText(value);
  };
  return [text, write];
}
