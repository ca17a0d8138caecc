import type { CSSProperties } from "react";

import { hue, initials } from "../view/face";
import type { User } from "../wire";

interface Props {
  user: User;
  /** Draws the dot of presence; left out where it says nothing. */
  online?: boolean | undefined;
  size?: "small" | "large";
}

export function Avatar({ user, online, size = "small" }: Props) {
  const style: CSSProperties & Record<"--hue", number> = { "--hue": hue(user.id) };
  return (
    <span className={`avatar avatar-${size}`} style={style} aria-hidden="true">
      {initials(user.name)}
      {online !== undefined && <span className="dot" data-online={online} />}
    </span>
  );
}
