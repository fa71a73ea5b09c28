// Numbers and counts in words. Pure.

/** 1 -> "1 neuron", 2000 -> "2,000 neurons". */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** A number to some significant digits, without trailing zeros; "–" where there is none. */
export const short = (value, digits = 3) => (value === undefined ? "–" : String(Number(value.toPrecision(digits))));

/** A share in per cent to so many significant digits, by default two below 10 %, then three. */
export const percent = (share, digits = share < 0.0995 ? 2 : 3) => `${short(100 * share, digits)} %`;

/** A share of a set in whole per cent; never 100 % of what is not all, nor 0 % of what is not none. */
export function percentOf(share) {
  const close = (share > 0.99 && share < 1) || (share > 0 && share < 0.01);
  return `${(100 * share).toFixed(close ? 1 : 0)} %`;
}

/** A number with a minus sign instead of a hyphen. */
export const signed = (value) => String(value).replace("-", "−");

export const capitalised = (text) => text[0].toUpperCase() + text.slice(1);
