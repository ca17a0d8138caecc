// Contrast of all visible text, from computed colours: WCAG 2.2, 1.4.3, without its exceptions for large and disabled
// text.

const LEAST = 4.5;

/** The texts with too little contrast; empty if there are none. */
export async function lowContrast(page) {
  const found = await page.evaluate(measure);
  if (found.length === 0) throw new Error("nothing can be read on this screen");
  return found.filter(({ ratio }) => ratio < LEAST).map(({ what, ratio, ink, ground }) => `${ratio.toFixed(2)} ${ink} on ${ground}: ${what}`);
}

/** Runs in the page. Elements that are fading in are judged by their final colour. */
async function measure() {
  const ending = document.getAnimations().filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime));
  await Promise.allSettled(ending.map(({ finished }) => finished));
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  /** Red, green, blue and alpha from 0 to 1, of any CSS colour. */
  const read = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
  };
  const mix = (above, below, share) => above.slice(0, 3).map((part, index) => part * share + below[index] * (1 - share));
  const over = (above, below) => mix(above, below, above[3]);
  const luminance = (color) => {
    const [red, green, blue] = color.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const inWords = (color) => `rgb(${color.map((part) => Math.round(part * 255)).join(" ")})`;

  const chainOf = (element) => {
    const chain = [];
    for (let each = element; each !== null; each = each.parentElement) chain.unshift(each);
    return chain;
  };
  /** The colours of a text and its background, with all translucent layers between them. */
  const paint = (chain, at, behind, color) => {
    const style = getComputedStyle(chain[at]);
    const inside = over(read(style.backgroundColor), behind);
    const painted = at === chain.length - 1 ? { ink: over(read(color), inside), ground: inside } : paint(chain, at + 1, inside, color);
    const opacity = Number(style.opacity);
    return { ink: mix(painted.ink, behind, opacity), ground: mix(painted.ground, behind, opacity) };
  };
  const isSeen = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    const box = element.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1) return false;
    return chainOf(element).every((each) => {
      const style = getComputedStyle(each);
      return style.opacity !== "0" && style.clipPath === "none";
    });
  };

  const found = [];
  const look = (element, what, color) => {
    if (!isSeen(element)) return;
    const { ink, ground } = paint(chainOf(element), 0, read("Canvas").slice(0, 3), color);
    const [light, dark] = [luminance(ink), luminance(ground)].toSorted((one, other) => other - one);
    found.push({ what, ratio: (light + 0.05) / (dark + 0.05), ink: inWords(ink), ground: inWords(ground) });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (data.trim() !== "") look(parentElement, `"${data.trim().slice(0, 40)}" in .${parentElement.className}`, getComputedStyle(parentElement).color);
  }
  for (const field of document.querySelectorAll("input, textarea")) {
    const pseudo = field.value === "" && field.placeholder !== "" ? "::placeholder" : null;
    look(field, `"${field.value || field.placeholder}" in #${field.id}`, getComputedStyle(field, pseudo).color);
  }
  for (const icon of document.querySelectorAll("svg.icon")) {
    look(icon, `the icon of "${icon.parentElement.getAttribute("aria-label") ?? icon.parentElement.textContent}"`, getComputedStyle(icon).color);
  }
  return found;
}
