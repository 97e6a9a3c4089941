// The part of twgl.js that the page uses; the rest is left out of the bundle.
export {
  createProgramInfo, createBufferInfoFromArrays, createVertexArrayInfo, setBuffersAndAttributes, setUniforms, createTexture,
  setTextureFromArray, drawBufferInfo,
} from "twgl.js";
