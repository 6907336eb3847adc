/** A tensor in blocks, each one channel of one image, and the sets of blocks that share a mean. */

export const NORMALIZATIONS = ["batch", "group", "layer", "instance"];
export const MAX_SIZE = { images: 8, channels: 8, rows: 5, columns: 5 };
const DIMENSIONS = ["images", "channels", "rows", "columns"];

/** The number of a block's set in the answer of POST /appendix; a shape has the four sizes and `groups`. */
export function findSet(normalization, { image, channel }, { channels, groups }) {
  if (normalization === "batch") return channel;
  if (normalization === "layer") return image;
  if (normalization === "group") return image * groups + Math.floor((channel * groups) / channels);
  return image * channels + channel;
}

export function listAllBlocks({ images, channels }) {
  return range(images).flatMap((image) => range(channels).map((channel) => ({ image, channel })));
}

/** The places of the set's values, in the order in which the API lists them. */
export function listPlaces(normalization, number, shape) {
  const blocks = listAllBlocks(shape).filter((block) => findSet(normalization, block, shape) === number);
  return blocks.flatMap((block) =>
    range(shape.rows).flatMap((row) => range(shape.columns).map((column) => ({ ...block, row, column }))),
  );
}

/** Images, channels, rows and columns of nested lists. */
export function readShape(pixels) {
  const sizes = [pixels.length, pixels[0].length, pixels[0][0].length, pixels[0][0][0].length];
  return Object.fromEntries(DIMENSIONS.map((name, index) => [name, sizes[index]]));
}

export function readAt(tensor, { image, channel, row, column }) {
  return tensor[image]?.[channel]?.[row]?.[column];
}

/** The same values in another shape; new places get random small integers. */
export function resize(pixels, { images, channels, rows, columns }) {
  return range(images).map((image) =>
    range(channels).map((channel) =>
      range(rows).map((row) =>
        range(columns).map((column) => readAt(pixels, { image, channel, row, column }) ?? drawValue()),
      ),
    ),
  );
}

/** Random small integers in the same shape. */
export function shuffle(pixels) {
  return pixels.map((image) => image.map((channel) => channel.map((row) => row.map(drawValue))));
}

/** A number from what a user typed, or the text itself, which the API refuses with a reason. */
export function readValue(text) {
  const plain = text.trim().replaceAll("−", "-").replace(",", ".");
  if (plain === "") return null;
  const value = Number(plain);
  return Number.isNaN(value) ? text : value;
}

export function writeValue(value) {
  return String(value ?? "").replace("-", "−");
}

/** A number rounded for reading: 4.359375 → 4.3594. */
export function writeFigure(value, digits = 4) {
  return writeValue(Number(value.toFixed(digits)));
}

function drawValue() {
  return Math.floor(Math.random() * 7) - 3;
}

function range(length) {
  return Array.from({ length }, (_, index) => index);
}
