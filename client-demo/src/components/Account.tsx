import { signOut } from "../client/session";
import { useStore } from "../store/store";
import { Avatar } from "./Avatar";
import { IconButton } from "./IconButton";

export function Account() {
  const name = useStore((state) => state.name) ?? "";
  const me = useStore((state) => state.me);
  const status = useStore((state) => state.connection.status);
  return (
    <div className="account">
      <Avatar user={me ?? { id: "", name }} online={status === "online"} />
      <span className="account-name">
        <strong title={me?.name ?? name}>{me?.name ?? name}</strong>
        <span>{WORDS[status]}</span>
      </span>
      <IconButton icon="leave" label="Sign out" onClick={signOut} />
    </div>
  );
}

const WORDS = {
  idle: "Offline",
  connecting: "Connecting…",
  online: "Online",
  reconnecting: "Reconnecting…",
  refused: "Offline",
} as const;
