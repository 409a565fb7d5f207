# Compiles every AD_KERNEL line of src/vk/kernels_*.def into ${CMAKE_BINARY_DIR}/generated/spv/NAME.h (a uint32_t array
# spv_NAME). Include files under shaders/lib and shaders/abi.h are dependencies of all.
set(spv_dir ${CMAKE_BINARY_DIR}/generated/spv)
file(MAKE_DIRECTORY ${spv_dir})
file(GLOB kernel_lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/vk/kernels_*.def)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kernel_lists})
file(GLOB shader_includes CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/shaders/lib/*.glsl ${CMAKE_SOURCE_DIR}/shaders/*.h)
set(spv_headers)
foreach(kernel_list IN LISTS kernel_lists)
  file(STRINGS ${kernel_list} kernel_lines REGEX "^AD_KERNEL\\(")
  foreach(line IN LISTS kernel_lines)
    if(NOT line MATCHES "^AD_KERNEL\\(([A-Z0-9_]+), *\"([^\"]+)\", *\"([^\"]*)\", *([0-9]+)\\)")
      message(FATAL_ERROR "${kernel_list}: cannot read: ${line}")
    endif()
    set(name ${CMAKE_MATCH_1})
    set(source ${CMAKE_SOURCE_DIR}/shaders/${CMAKE_MATCH_2})
    separate_arguments(defines UNIX_COMMAND "${CMAKE_MATCH_3}")
    add_custom_command(OUTPUT ${spv_dir}/${name}.h
      COMMAND ${GLSLANG} -V --target-env vulkan1.1 --quiet ${defines} -I${CMAKE_SOURCE_DIR}/shaders --vn spv_${name} -o ${spv_dir}/${name}.h ${source}
      DEPENDS ${source} ${shader_includes} VERBATIM)
    list(APPEND spv_headers ${spv_dir}/${name}.h)
  endforeach()
endforeach()
add_custom_target(adatom_shaders DEPENDS ${spv_headers})
