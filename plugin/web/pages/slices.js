// SPDX-License-Identifier: AGPL-3.0-or-later
// The images of a series from one end of the patient to the other, each with where it lies.

import { ask } from "./orthanc.js";

const PARALLEL = 0.9; // cosine between two normals, 26 degrees
const SAME = 0.999; // images of one stack
const MOST_ASKED = 16; // multi-frame images of a series whose headers are read for positions

// Addresses of what is to be shown. `heights` are millimetres along `normal`, one per image, or
// null where the header says none; `space` is the Frame of Reference UID.
class Stack {
  constructor(images, kind, { heights = null, normal = null, space = "" } = {}) {
    this.images = images.map((image) => `${image}/${kind}`);
    this.heights = heights;
    this.normal = normal;
    this.space = space;
  }

  parallel(other) {
    return Boolean(this.heights && other.heights) && Math.abs(dot(this.normal, other.normal)) > PARALLEL;
  }
}

export const NOTHING = new Stack([], "rendered");

export async function slicesOf(series) {
  return (await stackOf(series)).images;
}

export async function stackOf(series) {
  const { content } = await ask(`/series/${series}/instances`);
  const instances = content.toSorted((a, b) => instanceNumber(a) - instanceNumber(b));
  if (!instances.length) return NOTHING;
  const tags = await tagsOf(instances[0].ID);
  const frames = instances.map((one) => framesOf(one.MainDicomTags));
  if (instances.length === 1) frames[0] = Math.max(frames[0], framesOf(tags));
  if (frames.some((count) => count > 1)) return framesStack(instances, frames, tags);
  const images = instances.map(({ ID, MainDicomTags: own }) => ({
    address: `/instances/${ID}`,
    position: numbers(own.ImagePositionPatient, 3),
    plane: numbers(own.ImageOrientationPatient, 6),
  }));
  if (images.length === 1) return new Stack([images[0].address], drawnAs(tags));
  return inSpace(images, tags) ?? new Stack(await ordered(series, images), drawnAs(tags));
}

export async function stackOfInstance(instance) {
  const tags = await tagsOf(instance);
  const frames = framesOf(tags);
  if (frames < 2) return new Stack([`/instances/${instance}`], drawnAs(tags));
  return framesStack([{ ID: instance }], [frames], tags);
}

async function framesStack(instances, counts, first) {
  const asked = instances.length <= MOST_ASKED;
  const headers = asked
    ? await Promise.all(instances.map(({ ID }, at) => (at ? tagsOf(ID) : first)))
    : instances.map(() => ({}));
  const images = instances.flatMap(({ ID }, at) => {
    const own = headers[at].PerFrameFunctionalGroupsSequence ?? [];
    const shared = headers[at].SharedFunctionalGroupsSequence?.[0] ?? {};
    return Array.from({ length: counts[at] }, (_, frame) => ({
      address: counts[at] > 1 ? `/instances/${ID}/frames/${frame}` : `/instances/${ID}`,
      position: inGroup([own[frame], shared], "PlanePositionSequence", "ImagePositionPatient", 3),
      plane: inGroup([own[frame], shared], "PlaneOrientationSequence", "ImageOrientationPatient", 6),
    }));
  });
  return inSpace(images, first) ?? new Stack(images.map((image) => image.address), drawnAs(first));
}

// Sorted along the normal of their common plane; null where they have none, or two lie at one place.
function inSpace(images, tags) {
  const normals = images.map(({ plane }) => plane && normalOf(plane));
  const [normal] = normals;
  const alike = normals.every((one) => one && dot(one, normal) > SAME);
  if (!alike || images.some(({ position }) => !position)) return null;
  const at = images.map(({ address, position }) => ({ address, height: dot(position, normal) }));
  at.sort((a, b) => a.height - b.height);
  if (at.some(({ height }, number) => number && height - at[number - 1].height < 0.001)) return null;
  const space = tags.FrameOfReferenceUID ?? "";
  const heights = at.map(({ height }) => height);
  return new Stack(at.map(({ address }) => address), drawnAs(tags), { heights, normal, space });
}

// Orthanc's order, for what has no positions, or several images at each.
async function ordered(series, images) {
  try {
    const { content } = await ask(`/series/${series}/ordered-slices`);
    return content.Slices;
  } catch {
    return images.map(({ address }) => address);
  }
}

async function tagsOf(instance) {
  try {
    return (await ask(`/instances/${instance}/simplified-tags`)).content;
  } catch {
    return {};
  }
}

// Orthanc renders an image without Window Center (0028,1050) by the window 0 to 255: a CT is black
// then. Its preview spreads whatever values there are.
const drawnAs = (tags) => (tags.WindowCenter ? "rendered" : "preview");

const framesOf = (tags) => Math.max(1, Number(tags?.NumberOfFrames) || 1);

const instanceNumber = ({ MainDicomTags: tags }) => Number(tags?.InstanceNumber) || 0;

function inGroup(groups, sequence, keyword, count) {
  const group = groups.find((one) => one?.[sequence]?.[0]?.[keyword]);
  return group ? numbers(group[sequence][0][keyword], count) : null;
}

function numbers(text, count) {
  const found = (text ?? "").split("\\").map(Number);
  return text && found.length === count && found.every(Number.isFinite) ? found : null;
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

// Pointing to the left, the back or the head (PS3.3 C.7.6.2.1.1), whichever it is nearest to, so
// that parallel series count in one direction.
function normalOf([a, b, c, d, e, f]) {
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  const main = normal.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most));
  return main < 0 ? normal.map((one) => -one) : normal;
}
