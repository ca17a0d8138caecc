import type { KeyboardEvent } from "react";

import { LOBBY } from "../store/state";
import { IconButton } from "./IconButton";
import { Modal } from "./Modal";
import { PeopleList } from "./PeopleList";

interface Props {
  name: string;
  /** There is place for them beside the conversation; else they lie over it. */
  isBeside: boolean;
  onClose: () => void;
}

/** Its label on every screen. */
const CLOSE = "Close the list of people";

/** Who is in a room now, and who belongs to it without being here. */
export function People({ name, isBeside, onClose }: Props) {
  const title = name === LOBBY ? "On this server" : "In this room";
  if (!isBeside) {
    return (
      <Modal title={title} closeLabel={CLOSE} className="people" id="people" onClose={onClose}>
        <PeopleList name={name} />
      </Modal>
    );
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose();
  };
  return (
    // Escape closes it from any of its links.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <aside className="people" id="people" aria-label="People" onKeyDown={onKeyDown}>
      <header className="modal-header">
        <h2>{title}</h2>
        <IconButton icon="close" label={CLOSE} onClick={onClose} />
      </header>
      <PeopleList name={name} />
    </aside>
  );
}
