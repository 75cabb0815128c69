// Package judge says what a [picture.Picture] means: how far the rollout is, what it is
// made of, how it is, and whether it is done, has failed, or is held up by something
// outside the change.
//
// A judgement is a function of the picture and a [Policy] alone. What has to last for some
// time is compared with Picture.At; [Verdict.Again] is when the same facts would be judged
// otherwise. What is called failed stays so while the facts stay.
//
//   - Nothing is done whose controller has not looked at the newest generation, whose new
//     pods were not all seen ready, or whose Service does not reach them.
//   - Nothing has failed because it is slow: without a sign of failure a rollout has the
//     time that its own progress deadline gives it.
//   - What fails because of a node, a registry, or something that the old pods suffer from
//     too is no fault of the change.
//
// It must never ask a cluster, a clock or anybody, and never change a picture.
package judge
