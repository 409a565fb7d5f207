# Compiles every AD_KERNEL line of src/vk/kernels/kernels.def into ${CMAKE_BINARY_DIR}/generated/spv/NAME.h (a uint32_t
# array spv_NAME). Include files under shaders/lib and shaders/abi.h are dependencies of all.
set(spv_dir ${CMAKE_BINARY_DIR}/generated/spv)
file(MAKE_DIRECTORY ${spv_dir})
set(kernel_list ${CMAKE_SOURCE_DIR}/src/vk/kernels/kernels.def)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kernel_list})
file(GLOB shader_includes CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/shaders/lib/*.glsl ${CMAKE_SOURCE_DIR}/shaders/*.h)
set(spv_headers)

# Kernels named *_KHR use GL_KHR_cooperative_matrix, which glslang knows since 13 (2023). Where the compiler is older,
# SPIR-V that was made from the same source by tools/prebuild.sh is embedded instead; where the source has changed
# since, those kernels are left out (an empty module: src/vk/core/matrix_units.c then does not offer them), and the test
# "prebuilt" fails.
set(prebuilt_dir ${CMAKE_SOURCE_DIR}/shaders/prebuilt)
file(WRITE ${CMAKE_BINARY_DIR}/khr.comp "#version 450
#extension GL_KHR_cooperative_matrix : require
layout(local_size_x = 32) in;
void main() {}
")
execute_process(COMMAND ${GLSLANG} -V --target-env vulkan1.1 --quiet -o ${CMAKE_BINARY_DIR}/khr.spv
  ${CMAKE_BINARY_DIR}/khr.comp
  RESULT_VARIABLE khr_result OUTPUT_QUIET ERROR_QUIET)
execute_process(COMMAND sh ${CMAKE_SOURCE_DIR}/tools/prebuild.sh --check RESULT_VARIABLE prebuilt_result OUTPUT_QUIET)
# Writes shaders/prebuilt/NAME.spv, or an empty module, as a header.
function(embed_prebuilt name)
  set(words "0")
  if(prebuilt_result EQUAL 0)
    file(READ ${prebuilt_dir}/${name}.spv hex HEX)
    string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
  endif()
  file(CONFIGURE OUTPUT ${spv_dir}/${name}.h CONTENT "const uint32_t spv_@name@[] = {@words@};\n" @ONLY)
endfunction()

file(STRINGS ${kernel_list} kernel_lines REGEX "^AD_KERNEL\\(")
foreach(line IN LISTS kernel_lines)
  if(NOT line MATCHES "^AD_KERNEL\\(([A-Z0-9_]+), *\"([^\"]+)\", *\"([^\"]*)\", *([0-9]+)\\)")
    message(FATAL_ERROR "${kernel_list}: cannot read: ${line}")
  endif()
  set(name ${CMAKE_MATCH_1})
  set(source ${CMAKE_SOURCE_DIR}/shaders/${CMAKE_MATCH_2})
  separate_arguments(defines UNIX_COMMAND "${CMAKE_MATCH_3}")
  if(name MATCHES "_KHR$" AND NOT khr_result EQUAL 0)
    embed_prebuilt(${name})
    list(APPEND spv_headers ${spv_dir}/${name}.h)
    continue()
  endif()
  add_custom_command(OUTPUT ${spv_dir}/${name}.h
    COMMAND ${GLSLANG} -V --target-env vulkan1.1 --quiet ${defines} -I${CMAKE_SOURCE_DIR}/shaders
      --vn spv_${name} -o ${spv_dir}/${name}.h ${source}
    DEPENDS ${source} ${shader_includes} VERBATIM)
  list(APPEND spv_headers ${spv_dir}/${name}.h)
endforeach()
if(NOT khr_result EQUAL 0)
  file(GLOB prebuilt CONFIGURE_DEPENDS ${prebuilt_dir}/*)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${prebuilt} ${shader_includes}
    ${CMAKE_SOURCE_DIR}/shaders/conv_matrix.comp
    ${CMAKE_SOURCE_DIR}/shaders/conv_dx_matrix.comp ${CMAKE_SOURCE_DIR}/shaders/conv_dw_matrix.comp)
  if(NOT prebuilt_result EQUAL 0)
    message(WARNING
      "shaders/prebuilt is older than its source: built without VK_KHR_cooperative_matrix (tools/prebuild.sh)")
  endif()
endif()
list(TRANSFORM spv_headers REPLACE "^.*/(.*)$" "#include \"spv/\\1\"" OUTPUT_VARIABLE spv_includes)
list(JOIN spv_includes "\n" spv_includes)
file(CONFIGURE OUTPUT ${spv_dir}/all.h CONTENT "@spv_includes@\n" @ONLY)
add_custom_target(adatom_shaders DEPENDS ${spv_headers})
