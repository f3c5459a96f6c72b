// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads reports with dcmjs and makes measurements of them with cornerstone's adapters, as OHIF does.
// Usage: node BUNDLE FOLDER. Prints measurements by file, and what the adapters complained of.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import dcmjs from 'dcmjs';
import { metaData } from '@cornerstonejs/core';
import { adaptersSR } from '@cornerstonejs/adapters';

const { MeasurementReport } = adaptersSR.Cornerstone3D;
const PLANE = {
  frameOfReferenceUID: '1.2.3',
  rowCosines: [1, 0, 0],
  columnCosines: [0, 1, 0],
  imagePositionPatient: [0, 0, 0],
  rowPixelSpacing: 1,
  columnPixelSpacing: 1,
};
// A plane in which the middle of the first pixel is the origin and a pixel is one millimetre.
metaData.addProvider(type => (type === 'imagePlaneModule' ? PLANE : undefined), 10);

// Every image that is asked for is at hand, as in a viewer that has the study open.
const imageIds = new Proxy({}, { get: (_, key) => `image:${String(key)}` });

function points({ data }) {
  return data.contour?.polyline ?? data.handles.points;
}

function hydrate(file) {
  const bytes = readFileSync(file);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { dict } = dcmjs.data.DicomMessage.readFile(buffer);
  const dataset = dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict);
  const found = MeasurementReport.generateToolState(dataset, imageIds, metaData);
  return Object.entries(found).flatMap(([tool, measurements]) =>
    measurements.map(({ annotation, finding, sopInstanceUid }) => ({
      tool,
      image: sopInstanceUid,
      finding: finding?.CodeMeaning,
      label: annotation.data.label,
      points: points(annotation).map(point => [point[0], point[1]]),
    }))
  );
}

// The adapters write to the console what they read.
const { log } = console;
const complaints = [];
console.log = () => {};
console.warn = (...words) => complaints.push(words.map(String).join(' '));
console.error = console.warn;
const [folder] = process.argv.slice(2);
const measurements = {};
for (const name of readdirSync(folder).sort()) {
  try {
    measurements[name] = hydrate(join(folder, name));
  } catch (error) {
    complaints.push(`${name}: ${error}`);
  }
}
log(JSON.stringify({ measurements, complaints }));
