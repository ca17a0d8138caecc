import type { CSSProperties } from "react";

import { Fish } from "./Fish";

/** Where each fish swims, in percent; how large it is; and the one that goes its own way. */
const SHOAL = [
  { x: 6, y: 14, size: 5 },
  { x: 21, y: 6, size: 3.5 },
  { x: 15, y: 31, size: 6.5 },
  { x: 36, y: 18, size: 4.5 },
  { x: 5, y: 55, size: 4 },
  { x: 29, y: 48, size: 8.5, isSockeye: true },
  { x: 44, y: 36, size: 5.5 },
  { x: 16, y: 72, size: 6 },
  { x: 41, y: 66, size: 4.5 },
  { x: 28, y: 88, size: 5 },
  { x: 8, y: 90, size: 3.5 },
  { x: 52, y: 84, size: 6 },
  { x: 56, y: 9, size: 5 },
  { x: 60, y: 54, size: 4 },
  { x: 73, y: 28, size: 4.5 },
  { x: 78, y: 76, size: 5 },
  { x: 88, y: 48, size: 4 },
  { x: 90, y: 12, size: 5.5 },
];

type Place = CSSProperties & Record<"--delay" | "--size", string>;

/** The picture behind the sign-in form. */
export function Shoal() {
  return (
    <div className="shoal" aria-hidden="true">
      {SHOAL.map(({ x, y, size, isSockeye }, index) => {
        const place: Place = { left: `${x}%`, top: `${y}%`, "--size": `${size}rem`, "--delay": `${-index * 0.7}s` };
        return (
          <span key={`${x} ${y}`} style={place} data-sockeye={isSockeye === true}>
            <Fish className="fish" />
          </span>
        );
      })}
    </div>
  );
}
