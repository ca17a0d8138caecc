import type { ComponentProps } from "react";

import { Icon, type IconName } from "./Icon";

interface Props extends Omit<ComponentProps<"button">, "children"> {
  icon: IconName;
  /** What it does, for those who do not see it; also its tooltip, unless there is a shorter `title`. */
  label: string;
}

export function IconButton({ icon, label, title = label, className = "", ...rest }: Props) {
  return (
    <button type="button" className={`icon-button ${className}`} aria-label={label} title={title} {...rest}>
      <Icon name={icon} />
    </button>
  );
}
