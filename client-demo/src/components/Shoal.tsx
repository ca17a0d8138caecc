import type { CSSProperties } from "react";

import { Fish } from "./Fish";

interface Swimmer {
  key: number;
  isSockeye: boolean;
  place: CSSProperties & Record<"--size" | "--far" | "--delay", string>;
}

/** How many swim along, and which of them is the one. */
const COUNT = 46;
const SOCKEYE = 23;

/** A shoal that is the same every time: spread by the golden angle, so that it has no rows and no holes. */
const SHOAL: readonly Swimmer[] = Array.from({ length: COUNT }, (_, index) => {
  const angle = index * 2.399_963;
  const radius = Math.sqrt(index / COUNT);
  const near = 0.35 + 0.65 * Math.abs(Math.sin(index * 7.3));
  const isSockeye = index === SOCKEYE;
  return {
    key: index,
    isSockeye,
    place: {
      left: isSockeye ? "29%" : `${38 + 62 * radius * Math.cos(angle)}%`,
      top: isSockeye ? "46%" : `${50 + 58 * radius * Math.sin(angle)}%`,
      "--size": isSockeye ? "clamp(120px, 17vw, 240px)" : `${(38 + 62 * near).toFixed(0)}px`,
      "--far": isSockeye ? "1" : (0.1 + 0.3 * near).toFixed(2),
      "--delay": `${(-index * 0.73).toFixed(1)}s`,
    },
  };
});

/** The picture behind the sign-in form. */
export function Shoal() {
  return (
    <div className="shoal" aria-hidden="true">
      {SHOAL.map(({ key, isSockeye, place }) => (
        <span key={key} style={place} data-sockeye={isSockeye}>
          <Fish isSockeye={isSockeye} />
        </span>
      ))}
    </div>
  );
}
