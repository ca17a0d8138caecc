import { type MouseEvent, useState } from "react";

import { PHONE } from "../client/route";
import { LOBBY } from "../store/state";
import { useStore } from "../store/store";
import { isDirect } from "../view/title";
import { Banner } from "./Banner";
import { Conversation } from "./Conversation";
import { focusComposer } from "./focus";
import { People } from "./People";
import { Sidebar } from "./Sidebar";
import { useMedia } from "./useMedia";
import { useTitle } from "./useTitle";

/** From this width on there is place for the people beside the conversation. */
const WIDE = "(min-width: 1080px)";

export function Shell() {
  const active = useStore((state) => state.active);
  const isWide = useMedia(WIDE);
  const isPhone = useMedia(PHONE);
  const [standsBeside, setStandsBeside] = useState(true);
  // On a narrow screen the people lie over a conversation and must not stay there for the next one.
  const [liesOver, setLiesOver] = useState<string | null>(null);
  // Without a room, a phone's screen is the list alone.
  const shown = active ?? (isPhone ? null : LOBBY);
  const peopleAreShown = shown !== null && !isDirect({ name: shown }) && (isWide ? standsBeside : liesOver === active);
  if (liesOver !== null && liesOver !== active) setLiesOver(null);
  useTitle();

  const togglePeople = () => {
    if (isWide) setStandsBeside(!standsBeside);
    else setLiesOver(peopleAreShown ? null : active);
  };

  const skip = (event: MouseEvent) => {
    event.preventDefault();
    focusComposer();
  };

  return (
    <div className="shell" data-view={active === null ? "list" : "room"}>
      {shown !== null && (
        <a className="skip-link" href="#composer" onClick={skip}>
          Skip to the message box
        </a>
      )}
      <Banner />
      <div className="panes">
        <Sidebar isAlone={shown === null} />
        {shown !== null && (
          <Conversation key={shown} name={shown} peopleAreShown={peopleAreShown} onPeople={togglePeople} />
        )}
        {peopleAreShown && <People name={shown} isBeside={isWide} onClose={togglePeople} />}
      </div>
    </div>
  );
}
