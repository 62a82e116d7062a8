/** Numbers by their digits: 0.3 is a multiple of 0.1, whatever the processor makes of it. */

/**
 * Whether a number is a whole number of times another one.
 * @param {number} value
 * @param {number} of not 0
 */
export function isMultiple(value, of) {
  const [a, b] = [digits(value), digits(of)];
  const least = Math.min(a.exponent, b.exponent);
  const scaled = (/** @type {typeof a} */ n) => n.whole * 10n ** BigInt(n.exponent - least);
  return scaled(a) % scaled(b) === 0n;
}

/**
 * A number as `whole * 10 ** exponent`.
 * @param {number} value
 */
function digits(value) {
  const [mantissa = "", exponent] = value.toExponential().split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  return { whole: BigInt(`${whole}${fraction}`), exponent: Number(exponent) - fraction.length };
}
