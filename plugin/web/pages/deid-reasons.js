// SPDX-License-Identifier: AGPL-3.0-or-later
// Why an image waits for a reviewer, and why reviewers keep images out, in words.

export const REASONS = [
  "identifying text can't be masked",
  "a face can be recognized",
  "identity in the header can't be taken out",
  "not an image for analysis",
];

export const WHY = {
  "burned-in-annotation": "The header says that text is burned in",
  "text-left-in-pixels": "Text was left after masking",
  "face-not-masked": "A face may show and can't be masked",
  "document-for-review": "A document that a person has to see",
  sampled: "Drawn for a look",
};
