import type { ReactNode } from "react";

import { pieces } from "../view/body";

interface Props {
  text: string;
  /** Written by a person; otherwise it is JSON. */
  isPlain: boolean;
  children?: ReactNode;
}

export function Text({ text, isPlain, children }: Props) {
  if (!isPlain) {
    return (
      <p className="message-text">
        <code>{text}</code>
        {children}
      </p>
    );
  }
  return (
    <p className="message-text" dir="auto">
      {pieces(text).map((piece, index) =>
        piece.href === undefined ? (
          piece.text
        ) : (
          // A text's pieces have nothing but their place.
          // oxlint-disable-next-line react/no-array-index-key
          <a key={index} href={piece.href} target="_blank" rel="noreferrer noopener">
            {piece.text}
          </a>
        ),
      )}
      {children}
    </p>
  );
}
