// SPDX-License-Identifier: Apache-2.0
import com.pixelmed.dicom.AttributeList;
import com.pixelmed.validate.DicomSRValidator;

/** Runs PixelMed's validator over many reports: making one takes far longer than asking it. */
public class ValidateReports {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            AttributeList report = new AttributeList();
            report.read(path);
            System.out.println(path);
            System.out.println(validator.validate(report));
        }
    }
}
