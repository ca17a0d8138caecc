import { dispatch, useStore } from "../store/store";
import { focusComposer, hasKeyboard } from "./focus";
import { Icon } from "./Icon";
import { IconButton } from "./IconButton";

/** What went wrong, in words, until it is put away or the room is left. */
export function Notice() {
  const dismiss = () => {
    dispatch({ type: "noticed", text: null });
    if (hasKeyboard()) focusComposer();
  };
  const notice = useStore((state) => state.notice);
  return (
    <div role="alert">
      {notice !== null && (
        <div className="notice" data-testid="notice">
          <Icon name="alert" />
          <span>{notice}</span>
          <IconButton icon="close" label="Dismiss" onClick={dismiss} />
        </div>
      )}
    </div>
  );
}
