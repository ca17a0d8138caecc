import { textOf } from "../view/body";
import type { Said } from "../view/entries";
import { fully } from "../view/time";
import { Text } from "./Text";

export function MessageContent({ said }: { said: Said }) {
  if (said.id === undefined) return <Text text={said.text} isPlain />;
  if (said.deletedAt !== undefined) return <p className="message-deleted">This message was deleted.</p>;
  return (
    <Text {...textOf(said)}>
      {said.editedAt !== undefined && (
        <span className="message-edited" title={fully(said.editedAt)}>
          {" "}
          (edited)
        </span>
      )}
    </Text>
  );
}
