// SPDX-License-Identifier: AGPL-3.0-or-later
// What becomes of an item that somebody else has decided about or edited meanwhile.

import { ask } from "./orthanc.js";

export const isConflict = (error) => ["review-conflict", "not-decidable"].includes(error.code);

// Whether it is to be looked at again; after somebody else's edit with what it is now.
export async function stillWaits(item, error) {
  if (!isConflict(error)) return true;
  const query = `state=waiting&limit=1&after=${item.id - 1}`;
  try {
    const { content } = await ask(`/sidelight/deid/reviews?${query}`);
    const [now] = content.items;
    if (now?.id !== item.id) return false;
    Object.assign(item, now);
  } catch {
    // Orthanc can't be asked now: it stays as it was, and the next key asks again.
  }
  return true;
}
