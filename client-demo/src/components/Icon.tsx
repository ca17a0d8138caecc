const PATHS = {
  back: "M15 5l-7 7 7 7",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6 9c0-3.5 2.7-6 6-6s6 2.5 6 6M16 4.500a3.5 3.5 0 0 1 0 6.500m2 3.500c1.9.9 3 2.9 3 5.5",
  leave: "M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4m-4-4h10",
  edit: "M4 20h4L19 9l-4-4L4 16v4Zm9-13 4 4",
  remove: "M5 7h14M10 7V4.500h4V7m-7.5 0 .8 12.500h9.400L17.5 7M10.5 11v5m3-5v5",
  send: "M4.5 12 3 4.5 21 12 3 19.5 4.5 12Zm0 0H12",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4.500 4.500",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 5v14m-6-6 6 6 6-6",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  clock: "M12 7.500V12l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  checks: "M2.5 12.5 7 17l8.5-9.500M12 16l1 1 8.5-9.5",
  alert: "M12 8v5m0 3.200v.01M12 3.5 2.5 20h19L12 3.500Z",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing beside a word or on a button that has a label of its own. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
