//! The losses over the vocabulary, in one chunk and in several.

use super::*;

#[test]
fn vocabulary_losses_in_several_chunks() {
    let Some(machine) = Emulated::start() else { return };
    let (n, k, tk) = (67, 8, 12);
    for (v, with_teacher, alpha_mse) in [(37, true, 0.3), (96, true, 0.0), (37, false, 0.0)] {
        let projection = |k: usize, seed| [rounded(&[n, k], seed), rounded(&[v, k], seed + 1), random(&[v], seed + 2)];
        let (student, teacher) = (projection(k, 10), projection(tk, 20));
        let labels: Vec<u32> = (0..n as u32).map(|i| if i % 3 == 0 { i % v as u32 } else { u32::MAX }).collect();
        let labelled = labels.iter().filter(|&&l| l != u32::MAX).count();
        let cpu =
            |[h, w, b]: [&Tensor; 3]| crate::ops::Projection { hidden: h.clone(), weight: w.clone(), bias: b.clone() };
        let targets = crate::ops::Targets {
            labels: labels.clone(),
            teacher: with_teacher.then(|| cpu(teacher.each_ref())),
            temperature: 2.0,
            alpha_ce: 5.0,
            alpha_mse,
            alpha_mlm: 2.0,
        };
        let mut losses = None;
        let one = Tensor::new(1.0f32, &Device::Cpu).unwrap();
        let (_, grads) = twin(&student.each_ref(), &one, |t| {
            let loss = crate::ops::vocabulary_loss(&cpu([&t[0], &t[1], &t[2]]), targets.clone())?;
            Ok(loss.total)
        });
        let loss = crate::ops::vocabulary_loss(&cpu(student.each_ref()), targets.clone()).unwrap();
        losses.replace(Tensor::stack(&[&loss.total, &loss.ce, &loss.mse, &loss.mlm], 0).unwrap());
        let statistics = crate::ops::vocabulary_statistics(
            &cpu(student.each_ref()),
            &crate::ops::Targets { temperature: 1.0, ..targets.clone() },
        )
        .unwrap();
        for kind in KINDS {
            let on = |[h, w, b]: &[Tensor; 3]| [buffer(kind, h), buffer(Kind::F32, w), buffer(Kind::F32, b)];
            let (s, t) = (on(&student), on(&teacher));
            let projection =
                |[h, w, b]: &'static [Buffer; 3], k| vocabulary::Projection { hidden: h, weight: w, bias: b, k };
            let (s, t): (&'static _, &'static _) = (Box::leak(Box::new(s)), Box::leak(Box::new(t)));
            let (s, t) = (projection(s, k), projection(t, tk));
            let teacher = with_teacher.then_some(&t);
            let shape = vocabulary::Shape {
                n,
                labelled,
                v,
                temperature: 2.0,
                alpha_ce: 5.0,
                alpha_mse,
                alpha_mlm: 2.0,
                gradients: true,
                // Chunks of 64 and 3 rows.
                chunk: 1,
            };
            let on = machine.upload(&labels).unwrap();
            let got = vocabulary::vocabulary(&machine, kind, &s, teacher, &on, shape).unwrap();
            close("vocabulary losses", kind, &got.losses, losses.as_ref().unwrap());
            let got = got.gradients.unwrap();
            for (what, buffer, exact) in
                [("hidden", &got.hidden, &grads[0]), ("weight", &got.weight, &grads[1]), ("bias", &got.bias, &grads[2])]
            {
                close(&format!("vocabulary {what}, {v} words, teacher {with_teacher}"), kind, buffer, exact);
            }
            let shape = vocabulary::Shape { gradients: false, temperature: 1.0, ..shape };
            let got = vocabulary::vocabulary(&machine, kind, &s, teacher, &on, shape).unwrap().statistics.values();
            for (i, (row, exact)) in got.chunks(6).zip(&statistics).enumerate() {
                let near = |a: f32, b: f32| (a - b).abs() <= bound(kind) * (4.0 + b.abs());
                assert!(near(row[0], exact.kl) && near(row[2], exact.nll), "row {i}: {row:?} {exact:?}");
                assert!(near(row[3], exact.teacher_nll), "row {i}: {row:?} {exact:?}");
                if kind == Kind::F32 {
                    assert_eq!((row[4] as u32, row[5] as u32), (exact.top, exact.teacher_top), "row {i}");
                }
            }
        }
    }
}
