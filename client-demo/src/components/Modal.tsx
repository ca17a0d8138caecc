import { type MouseEvent, type ReactNode, useEffect, useId, useRef } from "react";
import { createPortal } from "react-dom";

import { IconButton } from "./IconButton";

interface Props {
  title: string;
  closeLabel: string;
  className: string;
  id?: string;
  onClose: () => void;
  children: ReactNode;
}

/**
 * Lies over the page, which is inert meanwhile; the browser keeps the focus within, closes it with Escape and puts
 * the focus back. A click beside it closes it too.
 */
export function Modal({ title, closeLabel, className, id, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);

  const close = () => dialog.current?.close();
  const onClick = (event: MouseEvent) => {
    if (event.target === dialog.current) close();
  };

  // In the body, so that it does not look like a part of what has opened it.
  return createPortal(
    // The backdrop is a part of the dialog; Escape and the button do the same.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events
    <dialog
      ref={dialog}
      id={id}
      className={`modal ${className}`}
      aria-labelledby={titleId}
      onClose={onClose}
      onClick={onClick}
    >
      <header className="modal-header">
        <h2 id={titleId}>{title}</h2>
        <IconButton icon="close" label={closeLabel} onClick={close} />
      </header>
      {children}
    </dialog>,
    document.body,
  );
}
