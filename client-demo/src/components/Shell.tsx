import { type MouseEvent, useState } from "react";

import { LOBBY } from "../store/state";
import { useStore } from "../store/store";
import { isDirect } from "../view/title";
import { Banner } from "./Banner";
import { Conversation } from "./Conversation";
import { People } from "./People";
import { Sidebar } from "./Sidebar";
import { useMedia } from "./useMedia";
import { useTitle } from "./useTitle";

/** From this width on there is place for the people beside the conversation. */
const WIDE = "(min-width: 1080px)";

export function Shell() {
  const active = useStore((state) => state.active);
  const isWide = useMedia(WIDE);
  const [standsBeside, setStandsBeside] = useState(true);
  // On a narrow screen the people lie over a conversation and must not stay there for the next one.
  const [liesOver, setLiesOver] = useState<string | null>(null);
  const shown = active ?? LOBBY;
  const peopleAreShown = !isDirect({ name: shown }) && (isWide ? standsBeside : liesOver === shown);
  useTitle();

  const togglePeople = () => {
    if (isWide) setStandsBeside(!standsBeside);
    else setLiesOver(peopleAreShown ? null : shown);
  };

  const skip = (event: MouseEvent) => {
    event.preventDefault();
    document.getElementById("composer")?.focus();
  };

  return (
    <div className="shell" data-view={active === null ? "list" : "room"}>
      <a className="skip-link" href="#composer" onClick={skip}>
        Skip to the message box
      </a>
      <Banner />
      <div className="panes">
        <Sidebar />
        <Conversation
          key={shown}
          name={shown}
          peopleAreShown={peopleAreShown}
          onPeople={togglePeople}
        />
        {peopleAreShown && !isWide && <div className="scrim" aria-hidden="true" onClick={togglePeople} />}
        {peopleAreShown && <People name={shown} onClose={togglePeople} />}
      </div>
    </div>
  );
}
