/** A picture of at most 256 colours in place of one that Chromium made: `node compress.js FROM TO`. */
import sharp from 'sharp';

const [, , from, to] = process.argv;
await sharp(from).png({ palette: true, colours: 256, effort: 10, compressionLevel: 9 }).toFile(to);
