/** Which values of a tensor share a mean: always whole blocks, a block being one channel of one image. */

export const NORMALIZATIONS = ["batch", "group", "layer", "instance"];
export const MAX_SIZE = { images: 8, channels: 8, rows: 5, columns: 5 };
const DIMENSIONS = ["images", "channels", "rows", "columns"];
const NUM_HUES = 8;

/** The number of a block's set in the answer of POST /appendix; a shape has the four sizes and `groups`. */
export function findSet(normalization, { image, channel }, { channels, groups }) {
  if (normalization === "batch") return channel;
  if (normalization === "layer") return image;
  if (normalization === "group") return image * groups + Math.floor((channel * groups) / channels);
  return image * channels + channel;
}

/** The (image, channel) pairs whose values make the set. */
export function listBlocks(normalization, number, shape) {
  return listAllBlocks(shape).filter((block) => findSet(normalization, block, shape) === number);
}

export function listAllBlocks({ images, channels }) {
  return range(images).flatMap((image) => range(channels).map((channel) => ({ image, channel })));
}

/** Where the set's values are, in the order in which the API lists them. */
export function listPlaces(normalization, number, shape) {
  return listBlocks(normalization, number, shape).flatMap((block) =>
    range(shape.rows).flatMap((row) => range(shape.columns).map((column) => ({ ...block, row, column }))),
  );
}

/** A number from 0 to 7 for each set, different from its neighbours'; the API's figures choose alike. */
export function pickHue(normalization, block, shape) {
  const width = normalization === "group" ? shape.channels / shape.groups : 1;
  const isOnGrid = normalization === "instance" || (normalization === "group" && shape.groups > 1);
  const sets = isOnGrid ? shape.images * (shape.channels / width) : 0;
  if (sets <= NUM_HUES) return findSet(normalization, block, shape) % NUM_HUES;
  return (Math.floor(block.channel / width) + 3 * block.image) % NUM_HUES;
}

/** Images, channels, rows and columns of nested lists. */
export function readShape(pixels) {
  const sizes = [pixels.length, pixels[0].length, pixels[0][0].length, pixels[0][0][0].length];
  return Object.fromEntries(DIMENSIONS.map((name, index) => [name, sizes[index]]));
}

export function readAt(tensor, { image, channel, row, column }) {
  return tensor[image]?.[channel]?.[row]?.[column];
}

/** The same values in another shape: what is cut off is gone, what is new is a small whole number. */
export function resize(pixels, { images, channels, rows, columns }) {
  return range(images).map((image) =>
    range(channels).map((channel) =>
      range(rows).map((row) =>
        range(columns).map((column) => readAt(pixels, { image, channel, row, column }) ?? drawValue()),
      ),
    ),
  );
}

/** Other small whole numbers in the same shape. */
export function shuffle(pixels) {
  return pixels.map((image) => image.map((channel) => channel.map((row) => row.map(drawValue))));
}

/** What a user typed, as the API takes it: a number, or the text for the API to refuse in its words. */
export function readValue(text) {
  const plain = text.trim().replaceAll("−", "-").replace(",", ".");
  if (plain === "") return null;
  const value = Number(plain);
  return Number.isNaN(value) ? text : value;
}

export function writeValue(value) {
  return String(value ?? "").replace("-", "−");
}

/** A figure rounded for reading: 4.359375 → 4.3594. */
export function writeFigure(value, digits = 4) {
  return writeValue(Number(value.toFixed(digits)));
}

function drawValue() {
  return Math.floor(Math.random() * 7) - 3;
}

function range(length) {
  return Array.from({ length }, (_, index) => index);
}
