import { type FormEvent, type KeyboardEvent, useEffect, useState } from "react";

import { editMessage } from "../client/messages";
import { excerpt, textOf } from "../view/body";
import type { Message } from "../wire";
import { focusComposer, rowOf } from "./focus";
import { useGrowing } from "./useGrowing";

interface Props {
  message: Message;
  onDone: () => void;
}

/** Takes the place of a message's text. Enter saves, Escape gives it up. */
export function MessageEditor({ message, onDone }: Props) {
  const before = textOf(message).text;
  const [text, setText] = useState(before);
  const [isSaving, setSaving] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const field = useGrowing(text);

  useEffect(() => {
    const element = field.current;
    const row = rowOf(element);
    // The arrow key in the message box brings one back there, the row's button to the row.
    const cameFromComposer = document.activeElement?.id === "composer";
    element?.focus();
    element?.setSelectionRange(element.value.length, element.value.length);
    element?.scrollIntoView({ block: "nearest" });
    return () => {
      if (cameFromComposer) focusComposer();
      else row?.focus({ preventScroll: true });
    };
  }, [field]);

  const save = async () => {
    const wanted = text.trim();
    if (wanted === "" || isSaving) return;
    if (wanted === before) return onDone();
    setSaving(true);
    const problem = await editMessage(message, wanted);
    setSaving(false);
    if (problem === null) onDone();
    else setFailure(problem);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") onDone();
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void save();
    }
  };

  return (
    <form className="editor" onSubmit={submit}>
      <textarea
        ref={field}
        aria-label={`Edit your message: ${excerpt(before)}`}
        value={text}
        rows={1}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="editor-foot">
        <button type="submit" className="button-primary button-small" disabled={isSaving || text.trim() === ""}>
          Save
        </button>
        <button type="button" className="button-quiet" onClick={onDone}>
          Cancel
        </button>
        <span role="status">{failure ?? (isSaving ? "Saving…" : "")}</span>
      </div>
    </form>
  );
}
