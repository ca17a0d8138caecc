const BODY =
  "M95 15.6C88 8.4 73 3.6 56 3.6 41 3.6 28 7.6 17.5 13.2 12.5 9.8 7.5 6.6 1.5 4.500c2.6 4 4 7.7 4 11.500s-1.4 7.5-4 11.500c6-2.1 11-5.3 16-8.700C28 24.4 41 28.4 56 28.400c17 0 32-4.8 39-12a.6.6 0 0 0 0-.8Z";
const FINS =
  "M45 4.600C47 1.5 50 .2 55.5-.8 57.5-1.2 59 0 60.5 3.700ZM29 8C29.3 6 28.7 4.8 27 3.5 30.5 3.3 33 4.3 35 6.200ZM34 25.600c-.5 2.7-2.5 4.6-6 5.4 4.5.8 9-.4 12.5-4ZM62 28.200c-1.5 2.6-4 4-7.5 4.3 5.5 1.3 11.5-.4 15-5Z";
const HEAD = "M76.5 6.200C81 12.5 81 19.5 76.5 25.8 84.5 23.8 91.2 20.5 95 16.400a.6.6 0 0 0 0-.8C91.2 11.5 84.5 8.2 76.5 6.200Z";

/** A salmon, swimming to the right. In its own colours it is a sockeye on its way home: red, with a green head. */
export function Fish({ isSockeye = false }: { isSockeye?: boolean }) {
  return (
    <svg className="fish" viewBox="0 -2 97 36" aria-hidden="true" focusable="false">
      <path d={FINS} />
      <path d={BODY} />
      {isSockeye && (
        <>
          <path className="fish-head" d={HEAD} />
          <circle className="fish-eye" cx="86.5" cy="13.6" r="1.9" />
        </>
      )}
    </svg>
  );
}
