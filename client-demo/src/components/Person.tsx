import { addressOf } from "../client/route";
import { DIRECT } from "../store/state";
import type { User } from "../wire";
import { Avatar } from "./Avatar";

interface Props {
  user: User;
  isMe: boolean;
  /** Unknown while there is no connection. */
  online: boolean | undefined;
  note?: string;
}

/** Leads to the direct message with them. */
export function Person({ user, isMe, online, note = "" }: Props) {
  const face = (
    <>
      <Avatar user={user} online={online} />
      <span className="person-name">
        <span title={user.name}>{user.name}</span>
        {isMe && <small>you</small>}
        {note !== "" && <small>{note}</small>}
      </span>
    </>
  );
  if (isMe) return <span className="person">{face}</span>;
  return (
    <a className="person" href={addressOf(DIRECT + user.id)}>
      <span className="visually-hidden">Write to </span>
      {face}
    </a>
  );
}
