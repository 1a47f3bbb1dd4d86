/**
 * Makes a picture small enough to be sent in a call.
 */
import { CallProblem } from './problems.js';

/** The longest side in pixels, and the quality, of the tries. */
const TRIES = /** @type {const} */ ([[1536, 0.85], [1024, 0.8], [1024, 0.6], [768, 0.6], [512, 0.6], [384, 0.5]]);

/**
 * @param {Blob} picture  In any format that the browser can read.
 * @param {number} maxBytes  Of the data URL.
 * @returns {Promise<string>} A JPEG as a data URL.
 * @throws {CallProblem} image_unreadable, message_too_large
 */
export async function fitImage(picture, maxBytes) {
  const bitmap = await createImageBitmap(picture).catch(() => {
    throw new CallProblem('image_unreadable');
  });
  try {
    for (const [side, quality] of TRIES) {
      const url = await encode(bitmap, side, quality);
      if (url.length <= maxBytes) return url;
    }
  } finally {
    bitmap.close();
  }
  throw new CallProblem('message_too_large');
}

/** @param {ImageBitmap} bitmap @param {number} side @param {number} quality */
async function encode(bitmap, side, quality) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((each) => Math.max(1, Math.round(each * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) throw new CallProblem('image_unreadable');
  // JPEG has no transparency: what shows through is paper.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality });
  return dataUrlOf(blob);
}

/** @param {Blob} blob */
async function dataUrlOf(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return `data:${blob.type};base64,${btoa(text)}`;
}
