import type { Typist } from "../store/state";
import { useStore } from "../store/store";
import { listed } from "../view/title";

const NOBODY: readonly Typist[] = [];

/** Always there, so that nothing jumps when somebody begins. */
export function TypingLine({ name }: { name: string }) {
  const typists = useStore((state) => state.typing.get(name) ?? NOBODY);
  return (
    <p className="typing-line" role="status" data-testid="typing">
      {typists.length > 0 && (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <span className="typing-words">
            <span className="typing-names">{listed(typists.map((typist) => typist.user.name))}</span>
            {/* Never cut off, however long the names are. */}
            <span className="typing-verb"> {typists.length === 1 ? "is" : "are"} typing</span>
          </span>
        </>
      )}
    </p>
  );
}
