import { Icon } from "./Icon";

/** The other one has read it. */
export function Receipt() {
  return (
    <p className="receipt">
      <Icon name="checks" />
      Seen
    </p>
  );
}
