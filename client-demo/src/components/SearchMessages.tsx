import { type ChangeEvent, useEffect, useState } from "react";

import { asFailure } from "../client/ask";
import { searchMessages } from "../client/search";
import type { FoundMessages } from "../wire";
import { FoundMessage } from "./FoundMessage";
import { Modal } from "./Modal";

/** How long after the last key the server is asked, in milliseconds. */
const ASK_AFTER = 200;
/** The longest text that the server searches for. */
const LONGEST = 256;

/** Searches the messages of all rooms that one may enter, while one types. */
export function SearchMessages({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState<FoundMessages | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const hasWord = /[\p{L}\p{N}]/u.test(text);

  useEffect(() => {
    let isStale = false;
    const timer = setTimeout(async () => {
      try {
        const answer = hasWord ? await searchMessages(text) : null;
        if (isStale) return;
        setFound(answer);
        setProblem(null);
      } catch (error) {
        if (!isStale) setProblem(asFailure(error).message);
      }
    }, ASK_AFTER);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [text, hasWord]);

  const more = async () => {
    if (found?.next === undefined) return;
    try {
      const { messages, next } = await searchMessages(text, found.next);
      const longer = { messages: [...found.messages, ...messages], ...(next !== undefined && { next }) };
      // Unless something else was typed meanwhile.
      setFound((now) => (now === found ? longer : now));
    } catch (error) {
      setProblem(asFailure(error).message);
    }
  };

  return (
    <Modal title="Search messages" closeLabel="Close the search" className="find-rooms" onClose={onClose}>
      <search className="find-rooms-field">
        <label htmlFor="search-messages">Words of the message</label>
        <input
          id="search-messages"
          type="search"
          // The dialog gives it the focus, once it is shown.
          ref={(field) => field?.setAttribute("autofocus", "")}
          value={text}
          onChange={(event: ChangeEvent<HTMLInputElement>) => setText(event.target.value)}
          maxLength={LONGEST}
          autoComplete="off"
          autoCapitalize="none"
        />
      </search>
      <div className="find-rooms-scroll">
        <ul>
          {found?.messages.map((message) => (
            <FoundMessage key={message.id} message={message} onOpen={onClose} />
          ))}
        </ul>
        {found?.next !== undefined && (
          <button type="button" className="button-quiet" onClick={() => void more()}>
            More messages
          </button>
        )}
        <p role="status" className="list-empty">
          {problem ?? (found?.messages.length === 0 && found.next === undefined ? "No message has these words." : "")}
        </p>
      </div>
    </Modal>
  );
}
