/** The mark: a salmon, swimming to the right. */
export function Fish({ className }: { className?: string }) {
  return (
    <svg className={className} viewBox="0 0 64 32" aria-hidden="true" focusable="false">
      <path d="M62 15.2C57 8 48 3.5 37.500 3.500 28.500 3.500 20.500 7.300 13.500 12.400 10 9.600 6.200 6.800 2 5.500c1.800 3.600 3 7 3.200 10.300C5 19.200 3.800 22.700 2 26.500c4.300-1.300 8-4 11.500-6.800 7 5.100 15 8.800 24 8.800C48 28.500 57 23.300 62 16.300a.95.95 0 0 0 0-1.100Z" />
      <path className="fish-gill" d="M46.500 7.500c2.600 5.200 2.600 11.600 0 17" fill="none" strokeWidth="2" strokeLinecap="round" />
      <circle className="fish-eye" cx="53" cy="13.300" r="1.700" />
    </svg>
  );
}
